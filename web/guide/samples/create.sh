curl -sS --fail-with-body https://go.example.com/v1/handoffs \
  -H "Authorization: Bearer $HANDOFF_PARTNER_KEY" \
  -H "Content-Type: application/json" \
  -d '{"instanceId": "PiIuACmx8Q8R7qPnAkLAqBAT", "reference": "order 7"}' > handoff.json
jq . handoff.json
