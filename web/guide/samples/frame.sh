shop=http://localhost:8000
curl -sS --fail-with-body https://go.example.com/v1/handoffs \
  -H "Authorization: Bearer $HANDOFF_PARTNER_KEY" \
  -H "Content-Type: application/json" \
  -d '{"instanceId": "PiIuACmx8Q8R7qPnAkLAqBAT", "reference": "order 8",
       "parentOrigin": "'$shop'", "returnUrl": "'$shop'/done.html?order=8"}' > framed.json
display=$(jq -r .displayUrl framed.json)
cat > shop.html <<END
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A shop</title>
<h1>Open an account</h1>
<handoff-frame src="$display"></handoff-frame>
<script src="https://go.example.com/embed/v1.js" async></script>
<script>
  document.querySelector("handoff-frame").addEventListener("handoff-end", (e) => {
    location.assign(e.detail.returnUrl);
  });
</script>
</html>
END
echo '<!doctype html><title>Done</title><h1>Welcome back</h1>' > done.html
