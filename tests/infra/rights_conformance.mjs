// Records in rights_conformance.json what @cloud-copilot/iam-simulate says to its rows. Not part of any test; anew with:
//   npm install --prefix /tmp/simulate @cloud-copilot/iam-simulate@0.1.173
//   NODE_PATH=/tmp/simulate/node_modules node tests/infra/rights_conformance.mjs < rows.json > rights_conformance.json
// with rows as they are in that file; "verdict" is written anew.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { runSimulation } = createRequire(import.meta.url)("@cloud-copilot/iam-simulate");
const says = { Allowed: "allowed", ImplicitlyDenied: "not allowed", ExplicitlyDenied: "forbidden" };
const account = "123456789012";
// a key says for itself who may use it: as Pulumi makes it, whoever the account's policies let
const root = { Effect: "Allow", Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: "kms:*", Resource: "*" };

async function verdict({ statements, action, resource, context }) {
  const answer = await runSimulation(
    {
      request: {
        principal: `arn:aws:iam::${account}:role/deftunes-x`,
        action,
        resource: { resource, accountId: account },
        contextVariables: context,
      },
      identityPolicies: [{ name: "it", policy: { Version: "2012-10-17", Statement: statements } }],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      ...(action.startsWith("kms:") && { resourcePolicy: { Version: "2012-10-17", Statement: [root] } }),
    },
    {},
  );
  if (answer.resultType === "error") throw new Error(JSON.stringify({ action, resource, errors: answer.errors }));
  return says[answer.overallResult];
}

const rows = JSON.parse(readFileSync(0));
const judged = [];
for (const row of rows) judged.push(JSON.stringify({ ...row, verdict: await verdict(row) }));
console.log(`[\n${judged.join(",\n")}\n]`);
