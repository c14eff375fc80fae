curl -sS --fail -o code.png "$display/qr.png"
handoff phone code.png --yes
