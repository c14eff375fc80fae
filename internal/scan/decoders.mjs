// Reads QR codes for package scan: on standard input pictures, each its width and height
// as 32-bit numbers, little end first, and a byte of grey for each pixel; on standard
// output a line of JSON for each, of what each decoder reads in it, null for nothing.
// The first line names the decoders. The argument is a node_modules folder.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const modules = process.argv[2];
const require = createRequire(join(modules, "x.js"));
const jsQR = require("jsqr").default;
const zxing = require("zxing-wasm/reader");
const { decodeQR } = await import(pathToFileURL(join(modules, "qr", "decode.js")));
const version = (name) => JSON.parse(readFileSync(join(modules, name, "package.json"))).version;

zxing.prepareZXingModule({ overrides: { wasmBinary: readFileSync(join(modules, "zxing-wasm/dist/reader/zxing_reader.wasm")) } });

const decoders = {
  "zxing-cpp": async (picture) => {
    const [code] = await zxing.readBarcodes(picture, { formats: ["QRCode"], tryInvert: false, maxNumberOfSymbols: 1 });
    return code?.isValid ? code.text : null;
  },
  jsQR: (picture) => jsQR(picture.data, picture.width, picture.height, { inversionAttempts: "dontInvert" })?.data || null,
  "paulmillr-qr": (picture) => decodeQR(picture) || null,
};

const told = (what) => process.stdout.write(JSON.stringify(what) + "\n");
told({ "zxing-cpp": "zxing-wasm " + version("zxing-wasm"), jsQR: "jsqr " + version("jsqr"), "paulmillr-qr": "qr " + version("qr") });

let held = Buffer.alloc(0);
for await (const chunk of process.stdin) {
  held = Buffer.concat([held, chunk]);
  while (held.length >= 8) {
    const [width, height] = [held.readUInt32LE(0), held.readUInt32LE(4)];
    const end = 8 + width * height;
    if (held.length < end) break;
    const data = new Uint8ClampedArray(width * height * 4);
    for (let i = 0, grey = held.subarray(8, end); i < grey.length; i++) data.fill(grey[i], 4 * i, 4 * i + 3), (data[4 * i + 3] = 255);
    held = held.subarray(end);
    const read = {};
    for (const [name, decode] of Object.entries(decoders)) {
      try {
        read[name] = await decode({ data, width, height, colorSpace: "srgb" });
      } catch {
        read[name] = null; // it throws where it finds none
      }
    }
    told(read);
  }
}
