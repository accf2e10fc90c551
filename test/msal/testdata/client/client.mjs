// Plays apps with Microsoft's clients for Node, as they are published. Told by an environment variable what to be; prints a
// line of JSON for each step: {"step": name, "token": …} or {"step": name, "error": …}.
import { readFileSync } from 'node:fs';
import { ConfidentialClientApplication, CryptoProvider, InteractionRequiredAuthError, PublicClientApplication, ResponseMode } from '@azure/msal-node';
import {
  ClientAssertionCredential, ClientCertificateCredential, ClientSecretCredential, DeviceCodeCredential, OnBehalfOfCredential, WorkloadIdentityCredential,
} from '@azure/identity';
import { BatchRequestContent, BatchResponseContent, Client, PageIterator } from '@microsoft/microsoft-graph-client';
import { TokenCredentialAuthenticationProvider } from '@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials/index.js';

const c = JSON.parse(process.env.CLIENT);
const graphDefault = 'https://graph.microsoft.com/.default';
const host = new URL(c.url).host;
const pem = readFileSync(c.pem, 'utf8');
const key = pem.slice(0, pem.indexOf('-----BEGIN CERTIFICATE'));

const say = (step, more) => console.log(JSON.stringify({ step, ...more }));
async function step(name, run) {
  try {
    say(name, { token: (await run()).accessToken });
  } catch (e) {
    say(name, { error: String(e.errorCode ?? e.code ?? '') + ' ' + String(e.message) });
  }
}

// A person: fills in the sign-in page, and goes where it leads, by a redirect or by the form that it answers with.
async function submit(link) {
  const form = new URLSearchParams({ action: 'signin', username: 'ada', password: 'lanyard-ada' });
  return fetch(link, { method: 'POST', body: form, redirect: 'manual' });
}
const plain = (s) => s.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code)).replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
async function selfSending(answer) {
  const page = await answer.text();
  const action = page.match(/name="hiddenform" action="([^"]*)"/);
  if (!action) throw new Error('the tenant answered ' + answer.status + ' ' + page);
  const fields = [...page.matchAll(/type="hidden" name="([^"]*)" value="([^"]*)"/g)].map((m) => [m[1], plain(m[2])]);
  return { to: plain(action[1]), fields: Object.fromEntries(fields) };
}
async function person(link) {
  const answer = await submit(link);
  const location = answer.headers.get('location');
  if (location) return void await fetch(location);
  const { to, fields } = await selfSending(answer);
  await fetch(to, { method: 'POST', body: new URLSearchParams(fields) });
}
async function device(page, code) {
  const form = new URLSearchParams({ code, action: 'signin', username: 'ada', password: 'lanyard-ada' });
  const answer = await fetch(page, { method: 'POST', body: form });
  if (!(await answer.text()).includes('id="done"')) throw new Error('the tenant took the code with ' + answer.status);
}

// --- MSAL: a custom host is trusted by its name and port.
const authority = (tenant) => ({ authority: `${c.url}/${tenant}`, knownAuthorities: [host] });
const desktop = (tenant) => new PublicClientApplication({ auth: { clientId: c.desktop, ...authority(tenant) } });
const service = (id, proof, more = {}) => new ConfidentialClientApplication({ auth: { clientId: id, ...authority(c.tenant), ...proof, ...more } });

for (const tenant of [c.tenant, 'common']) {
  const app = desktop(tenant);
  let account;
  await step(`msal interactive at ${tenant === 'common' ? tenant : 'the tenant'}`, async () => {
    const result = await app.acquireTokenInteractive({ scopes: ['User.Read'], openBrowser: person, successTemplate: 'done' });
    account = result.account;
    say('account', { id: account.homeAccountId, name: account.username });
    return result;
  });
  await step('msal refresh', () => app.acquireTokenSilent({ account, scopes: ['User.Read'], forceRefresh: true }));
  await step('msal another resource', () => app.acquireTokenSilent({ account, scopes: [c.scope] }));
}
// An API wants an authentication context: the tenant says what to ask the person for, and MSAL asks for it.
await step('msal challenge', async () => {
  const app = desktop(c.tenant);
  const request = { scopes: [c.scope], claims: '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}' };
  const { account } = await app.acquireTokenInteractive({ scopes: ['User.Read'], openBrowser: person });
  try {
    return await app.acquireTokenSilent({ ...request, account });
  } catch (e) {
    if (!(e instanceof InteractionRequiredAuthError) || !e.claims) throw e;
    return app.acquireTokenInteractive({ scopes: request.scopes, claims: e.claims, openBrowser: person });
  }
});
const devices = [
  step('msal device code', () => desktop(c.tenant).acquireTokenByDeviceCode({
    scopes: ['User.Read'], deviceCodeCallback: (m) => device(m.verificationUri, m.userCode),
  })),
];

await step('msal secret', () => service(c.batch, { clientSecret: c.secret }).acquireTokenByClientCredential({ scopes: [graphDefault] }));
await step('msal secret, with capabilities', () => service(c.batch, { clientSecret: c.secret }, { clientCapabilities: ['CP1'] }).acquireTokenByClientCredential({ scopes: [graphDefault] }));
await step('msal certificate', () => service(c.batch, { clientCertificate: { thumbprintSha256: c.sha256, privateKey: key } }).acquireTokenByClientCredential({ scopes: [graphDefault] }));
await step('msal certificate, SHA-1', () => service(c.batch, { clientCertificate: { thumbprint: c.sha1, privateKey: key } }).acquireTokenByClientCredential({ scopes: [graphDefault] }));
await step('msal federated', () => service(c.batch, { clientAssertion: async () => c.federated }).acquireTokenByClientCredential({ scopes: [graphDefault] }));

// A web application that is called back by a form, with PKCE.
await step('msal form_post', async () => {
  const app = service(c.web, { clientSecret: c.secret });
  const { verifier, challenge } = await new CryptoProvider().generatePkceCodes();
  const request = { scopes: ['User.Read'], redirectUri: 'https://payments.example.test/signed-in' };
  const link = await app.getAuthCodeUrl({
    ...request, responseMode: ResponseMode.FORM_POST, state: 'a state', nonce: 'n-1', codeChallenge: challenge, codeChallengeMethod: 'S256',
  });
  const { to, fields } = await selfSending(await submit(link));
  if (to !== request.redirectUri) throw new Error('the form leads to ' + to);
  return app.acquireTokenByCode({ ...request, code: fields.code, codeVerifier: verifier, state: 'a state', nonce: 'n-1' }, fields);
});

// An API that calls Graph as who called it.
let called;
await step('msal call', async () => {
  const result = await desktop(c.tenant).acquireTokenInteractive({ scopes: [c.scope], openBrowser: person });
  called = result.accessToken;
  return result;
});
await step('msal on behalf of', () => service(c.api, { clientSecret: c.secret }).acquireTokenOnBehalfOf({ oboAssertion: called, scopes: ['https://graph.microsoft.com/User.Read'] }));
await step('msal wrong secret', () => service(c.batch, { clientSecret: 'another' }).acquireTokenByClientCredential({ scopes: [graphDefault] }));

// --- @azure/identity: a custom host is taken when instance discovery is off.
const options = { authorityHost: c.url, disableInstanceDiscovery: true };
const get = (credential, scope = graphDefault, more = {}) => async () => ({ accessToken: (await credential.getToken(scope, more)).token });
const secretCredential = new ClientSecretCredential(c.tenant, c.batch, c.secret, options);
await step('identity secret', get(secretCredential));
await step('identity secret, continuous', get(new ClientSecretCredential(c.tenant, c.batch, c.secret, options), graphDefault, { enableCae: true }));
await step('identity certificate', get(new ClientCertificateCredential(c.tenant, c.batch, { certificatePath: c.pem }, options)));
await step('identity assertion', get(new ClientAssertionCredential(c.tenant, c.batch, async () => c.federated, options)));
await step('identity workload', get(new WorkloadIdentityCredential({ ...options, tenantId: c.tenant, clientId: c.batch, tokenFilePath: c.tokenFile })));
const behalf = new OnBehalfOfCredential({ ...options, tenantId: c.tenant, clientId: c.api, clientSecret: c.secret, userAssertionToken: called });
await step('identity on behalf of', get(behalf, 'https://graph.microsoft.com/User.Read'));
const deviceCredential = new DeviceCodeCredential({
  ...options, tenantId: c.tenant, clientId: c.desktop, userPromptCallback: (m) => device(m.verificationUri, m.userCode),
});
devices.push(step('identity device code', get(deviceCredential, 'https://graph.microsoft.com/User.Read')));

// --- The Graph client, on credentials of @azure/identity.
const graph = (credential, scope) => Client.initWithMiddleware({
  baseUrl: c.url + '/', customHosts: new Set([new URL(c.url).hostname]),
  authProvider: new TokenCredentialAuthenticationProvider(credential, { scopes: [scope] }),
});
try {
  const app = graph(secretCredential, graphDefault);
  const first = await app.api('/users').select('id,displayName').top(5).get();
  const names = [];
  await new PageIterator(app, first, (u) => { names.push(u.displayName); return true; }).iterate();
  say('graph users', { names });
  say('graph groups', { names: (await app.api('/groups').filter("displayName eq 'payments-engineers'").get()).value.map((g) => g.displayName) });
  await app.api('/users/nobody@contoso.example').get().then(() => say('graph nobody', {}), (e) => say('graph nobody', { error: `${e.statusCode} ${e.code}` }));
  const { responses } = await app.api('/$batch').post(await new BatchRequestContent([
    { id: '1', request: new Request(`${c.url}/users/${c.ada}`) }, { id: '2', request: new Request(`${c.url}/users/${c.ada}/memberOf`) },
  ]).getContent());
  const batch = new BatchResponseContent({ responses });
  say('graph batch', { names: [(await batch.getResponseById('1').json()).displayName, String(batch.getResponseById('2').status)] });
  // It registers an app, which then signs in with the secret that it was given.
  const made = await app.api('/applications').post({
    displayName: 'Made by a client', signInAudience: 'AzureADMyOrg', api: { requestedAccessTokenVersion: 2 }, web: { redirectUris: ['https://made.example.test/'] },
  });
  await app.api('/servicePrincipals').post({ appId: made.appId });
  const { secretText } = await app.api(`/applications/${made.id}/addPassword`).post({ passwordCredential: { displayName: 'a secret' } });
  await step('graph made', get(new ClientSecretCredential(c.tenant, made.appId, secretText, options)));
  await app.api(`/applications/${made.id}`).delete();
  await step('graph unmade', get(new ClientSecretCredential(c.tenant, made.appId, secretText, options)));
  const me = await graph(behalf, 'https://graph.microsoft.com/User.Read').api('/me').get();
  say('graph me', { names: [me.displayName] });
} catch (e) {
  say('graph', { error: String(e.message) });
}
await Promise.all(devices);
say('end', {});
