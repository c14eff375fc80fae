echo "Paste the partner key, then press Enter:"; read -rs HANDOFF_PARTNER_KEY
