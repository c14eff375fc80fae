handoff webhooks list --partner acme
handoff webhooks list 7K3QXF
handoff webhooks replay 7K3QXF
