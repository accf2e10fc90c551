// An OpenID provider for tests: oidc-provider with people of its own, and one page that asks for name and password.
// It takes its settings as the first line of standard input; each further line replaces settings.people, and is answered
// with "ok". It ends with its standard input.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import Provider from 'oidc-provider';

console.info = console.error; // standard output is for answers
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const settings = JSON.parse((await lines.next()).value);
let people = settings.people; // by subject: {username, password, name, email, groups, disabled}

const algorithm = settings.algorithm ?? 'RS256';
const { privateKey } = algorithm === 'ES256'
  ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
  : generateKeyPairSync('rsa', { modulusLength: 2048 });

const provider = new Provider(settings.issuer, {
  acrValues: ['pwd', 'mfa'],
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'], groups: ['groups'], acr: null, auth_time: null },
  clients: [{
    application_type: 'web', grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
    id_token_signed_response_alg: algorithm, ...settings.client,
  }],
  conformIdTokenClaims: !settings.everythingInToken,
  cookies: { keys: ['only for tests'] },
  enabledJWA: { idTokenSigningAlgValues: [algorithm], clientAuthSigningAlgValues: ['PS256', 'RS256', 'ES256'] },
  features: { devInteractions: { enabled: false }, claimsParameter: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  findAccount(_, sub) {
    const one = people[sub];
    if (!one || one.disabled) return undefined;
    return {
      accountId: sub,
      claims: () => ({ sub, name: one.name, preferred_username: one.username, email: one.email, email_verified: true, groups: one.groups }),
    };
  },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: algorithm }] },
  pkce: { required: () => true },
});

for (const event of ['authorization.error', 'grant.error', 'server_error', 'userinfo.error']) {
  provider.on(event, (_, error) => console.error(event, error.message, error.error_description ?? ''));
}

const page = (wrong) => `<!doctype html><title>Sign in</title><h1>Sign in</h1>${wrong ? `<p role="alert">${wrong}</p>` : ''}
<form method="post"><input name="username"><input type="password" name="password"><button>Sign in and consent</button></form>`;

async function interaction(req, res) {
  const { params } = await provider.interactionDetails(req, res);
  const show = (wrong) => res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page(wrong));
  if (req.method !== 'POST') return show();
  let body = '';
  for await (const part of req) body += part;
  const form = new URLSearchParams(body);
  const found = Object.entries(people).find(([, one]) => one.username === form.get('username') && one.password === form.get('password') && !one.disabled);
  if (!found) return show('Name and password do not belong together.');
  const grant = new provider.Grant({ accountId: found[0], clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const wanted = params.acr_values?.split(' ')[0];
  return provider.interactionFinished(req, res, {
    login: { accountId: found[0], acr: wanted ?? 'pwd', remember: true },
    consent: { grantId: await grant.save() },
  });
}

const handle = provider.callback();
const server = createServer((req, res) => {
  if (!req.url.startsWith('/interaction/')) return handle(req, res);
  return interaction(req, res).catch((error) => res.writeHead(400).end(String(error)));
});
const { port } = new URL(settings.issuer);
server.listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'));
for await (const line of lines) {
  people = JSON.parse(line);
  process.stdout.write('ok\n');
}
server.close();
server.closeAllConnections();
