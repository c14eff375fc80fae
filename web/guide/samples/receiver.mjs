import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const wh = new Webhook(process.env.ACME_HOOK); // whsec_…, made by: handoff key webhook

createServer(async (req, res) => {
  const chunks = [];
  let size = 0;
  for await (const chunk of req) {
    if ((size += chunk.length) > 64 * 1024) return res.writeHead(413).end();
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks).toString("utf8"); // as it came: parse it afterwards
  try {
    wh.verify(body, req.headers);
  } catch {
    return res.writeHead(401).end("not signed by the portal");
  }
  console.log(req.headers["webhook-id"], body);
  res.writeHead(204).end();
}).listen(8090, "127.0.0.1");
