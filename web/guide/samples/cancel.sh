id=$(curl -sS https://go.example.com/v1/handoffs \
  -H "Authorization: Bearer $HANDOFF_PARTNER_KEY" \
  -H "Content-Type: application/json" \
  -d '{"instanceId": "PiIuACmx8Q8R7qPnAkLAqBAT"}' | jq -r .id)
curl -sS -X POST "https://go.example.com/v1/handoffs/$id/cancel" \
  -H "Authorization: Bearer $HANDOFF_PARTNER_KEY" | jq .status
