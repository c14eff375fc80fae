curl -sS "https://go.example.com/v1/handoffs/$id/complete" \
  -H "Authorization: Bearer $HANDOFF_PARTNER_KEY" \
  -H "Content-Type: application/json" \
  -d '{"outcome": "completed"}' | jq .status
