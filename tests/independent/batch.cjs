// Asks the stand-in of Microsoft Graph in batches with Microsoft's own client for JavaScript; ends with 1 and a reason if they
// disagree. (The client for Python cannot read the answers to a batch.)

const fs = require("node:fs");
const { Client, BatchRequestContent, BatchResponseContent, GraphError } = require("@microsoft/microsoft-graph-client");

const facts = JSON.parse(fs.readFileSync(process.argv[2]));

function check(what, ok) {
  if (!ok) {
    console.error(`Microsoft's client disagrees: ${what}`);
    process.exit(1);
  }
}

async function token() {
  const form = {
    client_id: facts.client,
    client_secret: facts.secret,
    scope: `${facts.url}/.default`,
    grant_type: "client_credentials",
  };
  const answer = await fetch(`${facts.url}/${facts.tenant}/oauth2/v2.0/token`, {
    method: "POST",
    body: new URLSearchParams(form),
  });
  check("a token is issued", answer.status === 200);
  return (await answer.json()).access_token;
}

async function refused(what, asked) {
  try {
    await asked;
  } catch (error) {
    check(`${what} is refused in Graph's words: ${error}`, error instanceof GraphError && error.statusCode === 400 && error.code);
    return;
  }
  check(`${what} is refused`, false);
}

async function main() {
  const bearer = await token();
  const client = Client.initWithMiddleware({
    baseUrl: facts.url,
    defaultVersion: "v1.0",
    customHosts: new Set([new URL(facts.url).hostname]),
    authProvider: { getAccessToken: async () => bearer },
  });
  // The client takes the host away again; what is left is relative to the version.
  const get = (id, path) => ({ id, request: new Request(`${facts.url}${path}`, { method: "GET" }) });
  const batch = async (steps) => {
    const content = await new BatchRequestContent(steps).getContent();
    return new BatchResponseContent(await client.api("/$batch").post(content));
  };

  const answers = await batch([
    get("there", `/users/${facts.there}?$select=id,displayName`),
    get("gone", `/users/${facts.gone}?$select=id`),
    get("busy", facts.busy),
    get("team", `/groups/${facts.team}?$select=id,displayName`),
    get("members", `/groups/${facts.team}/members?$select=id`),
    get("wrong", `/users/${facts.there}?$select=shoeSize`),
  ]);
  check("each question has an answer", answers.getResponses().size === 6);
  const of = async (id) => {
    const answer = answers.getResponseById(id);
    return [answer.status, answer.headers, await answer.json()];
  };
  const [status, headers, there] = await of("there");
  check("who is there is shown", status === 200 && there.id === facts.there && there.displayName === "user-0");
  check("an answer says that it is JSON", headers.get("content-type").startsWith("application/json"));
  const [gone, , why] = await of("gone");
  check("who is gone is not found", gone === 404 && why.error.code === "Request_ResourceNotFound");
  const [busy, wait] = await of("busy");
  check("one answer may ask to wait", busy === 429 && wait.get("retry-after") === "7");
  const [group, , team] = await of("team");
  check("a group is shown", group === 200 && team.displayName === "Team");
  const [list, , members] = await of("members");
  check("a list is shown", list === 200 && members.value.length === 5);
  const [wrong, , what] = await of("wrong");
  check("one question may be wrong", wrong === 400 && what.error.code === "BadRequest");

  const many = (count) => Array.from({ length: count }, (_, at) => get(`${at}`, `/users/${facts.there}?$select=id`));
  const full = await batch(many(20));
  check("twenty are answered", [...full.getResponses().values()].every((answer) => answer.status === 200));
  const requests = (count, id) =>
    Array.from({ length: count }, (_, at) => ({ id: id ?? `${at}`, method: "GET", url: `/users/${facts.there}` }));
  await refused("a batch of 21", client.api("/$batch").post({ requests: requests(21) }));
  await refused("an id that comes twice", client.api("/$batch").post({ requests: requests(2, "one") }));
  await refused("no batch at all", client.api("/$batch").post({ questions: [] }));
}

main().catch((error) => check(error, false));
