id=$(jq -r .id handoff.json)
curl -sS "https://go.example.com/v1/handoffs/$id" \
  -H "Authorization: Bearer $HANDOFF_PARTNER_KEY" | jq '{status, route, device, confirmed}'
