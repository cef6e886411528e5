// Prints, of the dashboard at argv[3]: "types", a TypeScript program that
// compiles if Grafana's types know all of it; "rules", its queries as rules for
// promtool.
const fs = require("node:fs");
const [, , what, file] = process.argv;
const dashboard = fs.readFileSync(file, "utf8");
if (what === "types") {
  console.log(`import type { Dashboard } from "@grafana/schema";
// Text for texts that are an enumeration.
type Plain<T> = T extends string ? \`\${T}\` : T extends number ? number : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
const dashboard: Plain<Dashboard> = ${dashboard};
export default dashboard;`);
} else {
  const queries = JSON.parse(dashboard).panels.flatMap((panel) => panel.targets ?? []).map((target) => target.expr);
  const plain = queries.map((query) => query.replaceAll("$__rate_interval", "5m").replaceAll("$job", ".+"));
  const rules = plain.map((expr, i) => ({ record: `panel_${i}`, expr }));
  console.log(JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
}
