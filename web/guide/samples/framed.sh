curl -sS --fail -o code.png "$display/qr.png"
handoff phone code.png --yes
id=$(jq -r .id framed.json)
curl -sS "https://go.example.com/v1/handoffs/$id/complete" \
  -H "Authorization: Bearer $HANDOFF_PARTNER_KEY" \
  -H "Content-Type: application/json" \
  -d '{"outcome": "completed"}' | jq .status
