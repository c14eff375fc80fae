display=$(jq -r .displayUrl handoff.json)
echo "$display"
