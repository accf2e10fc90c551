// Provisions people and groups with two implementations of SCIM that others wrote: scimmy makes and checks resources and
// messages, and says what a PATCH has to give; scim-patch says the same a second time. After each step a line of JSON says
// what the endpoint should have been made into, and the next step waits for a line on standard input. The first line there is
// JSON, too: {people: [{id, userPrincipalName, …}], groups: [{id, displayName, members}]}.
//
// Environment: BASE (the tenant URL) and TOKEN.
import assert from "node:assert/strict";
import readline from "node:readline";
import SCIMMY from "scimmy";
import { scimPatch, patchBodyValidation } from "scim-patch";

const { User, Group, EnterpriseUser } = SCIMMY.Schemas;
const { PatchOp, ListResponse, SearchRequest } = SCIMMY.Messages;
const enterprise = EnterpriseUser.definition.id;
SCIMMY.Resources.declare(SCIMMY.Resources.User).extend(EnterpriseUser, false);
SCIMMY.Resources.declare(SCIMMY.Resources.Group);
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { people, groups } = JSON.parse((await lines.next()).value);
const at = new Map(); // object ID → ID at the endpoint

async function call(method, path, body, want) {
  const answer = await fetch(process.env.BASE + path, {
    method,
    headers: { authorization: `Bearer ${process.env.TOKEN}`, accept: "application/scim+json", ...(body && { "content-type": "application/scim+json" }) },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  assert.ok([want].flat().includes(answer.status), `${method} ${path}: ${answer.status} ${text}, sent ${JSON.stringify(body)}`);
  return text ? JSON.parse(text) : undefined;
}

// contains reports where a resource lacks something of another; times and what only one of them knows are left out.
function contains(has, want, where = "") {
  if (Array.isArray(want)) {
    assert.equal(has?.length ?? 0, want.length, `${where}: ${JSON.stringify(has)} and not ${JSON.stringify(want)}`);
    want.forEach((w, i) => contains(has[i], w, `${where}[${i}]`));
  } else if (want instanceof Date || (want && typeof want === "object")) {
    for (const [k, v] of Object.entries(want)) if (v !== undefined && k !== "meta") contains(has?.[k], v, `${where}.${k}`);
  } else assert.deepEqual(has, want, where);
}

async function found(kind, filter, excluded = "") {
  const list = await call("GET", `/${kind}?filter=${encodeURIComponent(filter)}${excluded}`, undefined, 200);
  assert.deepEqual(list.schemas, ["urn:ietf:params:scim:api:messages:2.0:ListResponse"]);
  new ListResponse(list); // throws at what is no list
  return list.Resources ?? [];
}

async function createUser(u) {
  assert.deepEqual(await found("Users", `userName eq "${u.userPrincipalName}"`), []);
  const resource = new User({
    schemas: [User.definition.id, enterprise], externalId: u.id, userName: u.userPrincipalName, active: true, displayName: u.displayName,
    name: { givenName: u.givenName, familyName: u.surname }, emails: [{ type: "work", value: u.mail, primary: true }],
    [enterprise]: { department: u.department },
  }, "in");
  const sent = JSON.parse(JSON.stringify(resource));
  const made = await call("POST", "/Users", sent, 201);
  contains(made, sent);
  new User(made, "out"); // throws at what is no user
  assert.ok(made.id && made.meta?.resourceType === "User" && made.meta?.location?.endsWith("/Users/" + made.id), JSON.stringify(made.meta));
  at.set(u.id, made.id);
  const again = await call("POST", "/Users", sent, 409);
  assert.equal(again.scimType, "uniqueness");
}

// patchUser sends operations and compares what there is afterwards with what both implementations make of what there was.
async function patchUser(id, Operations) {
  const before = await call("GET", "/Users/" + id, undefined, 200);
  const body = { schemas: [PatchOp.id ?? "urn:ietf:params:scim:api:messages:2.0:PatchOp"], Operations };
  patchBodyValidation(body);
  const one = await new PatchOp(JSON.parse(JSON.stringify(body))).apply(new User(JSON.parse(JSON.stringify(before)), "out"));
  const two = scimPatch(JSON.parse(JSON.stringify(before)), JSON.parse(JSON.stringify(Operations)), { mutateDocument: false });
  await call("PATCH", "/Users/" + id, body, [200, 204]);
  const after = await call("GET", "/Users/" + id, undefined, 200);
  if (one) contains(after, { ...JSON.parse(JSON.stringify(one)), schemas: undefined }, "scimmy");
  // It leaves "schemas" as it was, also when the last attribute of an extension is gone.
  contains(after, { ...JSON.parse(JSON.stringify(two)), schemas: undefined, roles: undefined, groups: undefined }, "scim-patch");
}

async function each(list, f) {
  const rest = [...list];
  await Promise.all(Array.from({ length: 4 }, async () => {
    for (let one = rest.shift(); one !== undefined; one = rest.shift()) await f(one);
  }));
}

const state = { users: new Map(), groups: new Map() };
async function report(step) {
  console.log(JSON.stringify({
    step, users: Object.fromEntries(state.users), groups: Object.fromEntries([...state.groups].map(([id, m]) => [id, [...m].sort()])),
  }));
  assert.ok(!(await lines.next()).done, "nobody listens");
}

async function setMembers(group, add, remove) {
  const Operations = [];
  if (add.length) Operations.push({ op: "add", path: "members", value: add.map((m) => ({ value: at.get(m) })) });
  for (const m of remove) Operations.push({ op: "remove", path: `members[value eq "${at.get(m)}"]` });
  if (!Operations.length) return;
  const body = { schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], Operations };
  patchBodyValidation(body);
  await call("PATCH", "/Groups/" + at.get(group), body, [200, 204]);
  for (const m of add) state.groups.get(group).add(m);
  for (const m of remove) state.groups.get(group).delete(m);
  const has = await call("GET", "/Groups/" + at.get(group), undefined, 200);
  new Group(has, "out");
  assert.deepEqual((has.members ?? []).map((m) => m.value).sort(), [...state.groups.get(group)].map((m) => at.get(m)).sort());
}

// What others' schemas read of the discovery endpoints.
const config = await call("GET", "/ServiceProviderConfig", undefined, 200);
assert.equal(config.patch?.supported, true);
for (const kind of ["/Schemas", "/ResourceTypes"]) new ListResponse(await call("GET", kind, undefined, 200));

await each(people, async (u) => {
  await createUser(u);
  state.users.set(u.id, true);
});
await each(groups, async (g) => {
  assert.deepEqual(await found("Groups", `displayName eq "${g.displayName}"`, "&excludedAttributes=members"), []);
  const sent = JSON.parse(JSON.stringify(new Group({ schemas: [Group.definition.id], externalId: g.id, displayName: g.displayName }, "in")));
  const made = await call("POST", "/Groups", sent, 201);
  at.set(g.id, made.id);
  state.groups.set(g.id, new Set());
  await setMembers(g.id, g.members, []);
});
await report("created");

await each(people.slice(0, 40), (u) => patchUser(at.get(u.id), [
  { op: "replace", path: "displayName", value: "Renamed " + u.id },
  { op: "replace", path: "name.givenName", value: "Other" },
  { op: "replace", path: 'emails[type eq "work"].value', value: "other-" + u.mail },
  { op: "add", path: "nickName", value: "Babs" },
  { op: "add", path: `${enterprise}:employeeNumber`, value: "E1" },
]));
await each(people.slice(40, 60), (u) => patchUser(at.get(u.id), [{ op: "replace", value: { displayName: "Without a path", title: "Boss" } }, { op: "remove", path: `${enterprise}:department` }]));
await each(people.slice(60, 80), async (u) => {
  const has = await call("GET", "/Users/" + at.get(u.id), undefined, 200);
  has.title = "Replaced";
  const sent = JSON.parse(JSON.stringify(new User(has, "in")));
  await call("PUT", "/Users/" + at.get(u.id), sent, 200);
  contains(await call("GET", "/Users/" + at.get(u.id), undefined, 200), { ...sent, id: undefined, groups: undefined });
});
await each(groups, (g) => setMembers(g.id, people.slice(0, 5).map((u) => u.id).filter((m) => !state.groups.get(g.id).has(m)), g.members.slice(0, 3).filter((m) => !people.slice(0, 5).some((u) => u.id === m))));
await report("changed");

const some = people.slice(10, 30);
for (const [active, step] of [[false, "disabled"], [true, "restored"]]) {
  await each(some, async (u) => {
    await patchUser(at.get(u.id), [{ op: "replace", path: "active", value: active }]);
    state.users.set(u.id, active);
  });
  await report(step);
}

await each(some, async (u) => {
  await call("DELETE", "/Users/" + at.get(u.id), undefined, 204);
  await call("GET", "/Users/" + at.get(u.id), undefined, 404);
  await call("DELETE", "/Users/" + at.get(u.id), undefined, 404);
  state.users.set(u.id, false);
  for (const m of state.groups.values()) m.delete(u.id);
});
await each(groups.slice(0, 3), async (g) => {
  await call("DELETE", "/Groups/" + at.get(g.id), undefined, 204);
  await call("GET", "/Groups/" + at.get(g.id), undefined, 404);
  state.groups.delete(g.id);
});
const search = new SearchRequest({ schemas: ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], filter: "active eq true", count: 5, startIndex: 1, attributes: ["userName"] });
const page = await call("POST", "/Users/.search", JSON.parse(JSON.stringify(search)), 200);
assert.equal(page.totalResults, [...state.users.values()].filter(Boolean).length);
assert.equal(page.Resources.length, 5);
assert.ok(page.Resources.every((r) => r.userName && r.displayName === undefined));
await report("deleted");
process.exit(0);
