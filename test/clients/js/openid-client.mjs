// openid-client: the code flow with PKCE, refreshing, introspection, revocation, devices, DPoP, and token exchange.
import { leave, passed, same, settings, types, visits } from './person.mjs';
import * as client from 'openid-client';

const issuer = new URL(settings.issuer);
const insecure = { execute: [client.allowInsecureRequests] }; // http, on this machine alone
const found = (c, auth) => client.discovery(issuer, c.id, undefined, auth, insecure);

const portal = await found(settings.portal, client.ClientSecretBasic(settings.portal.secret));
const planner = await found(settings.planner, client.ClientSecretPost(settings.planner.secret));
const native = await found(settings.native, client.None());

// code runs the code flow; with a resource the access token is for that (RFC 8707).
async function code(config, redirect, options, resource) {
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const nonce = client.randomNonce();
  const parameters = {
    redirect_uri: redirect, scope: 'openid profile offline_access', state, nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  };
  if (resource) parameters.resource = resource;
  if (options) parameters.dpop_jkt = await options.DPoP.calculateThumbprint();
  const back = await visits(client.buildAuthorizationUrl(config, parameters));
  same('iss of the answer', back.searchParams.get('iss'), settings.issuer); // RFC 9207
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
  const mixed = new URL(back);
  mixed.searchParams.set('iss', 'https://other.example.test');
  same('an answer of another issuer', await client.authorizationCodeGrant(config, mixed, checks).then(() => 'taken', (e) => e.code), 'OAUTH_INVALID_RESPONSE');
  return client.authorizationCodeGrant(config, back, checks, resource && { resource }, options);
}

const first = await code(portal, settings.portal.redirect);
const person = first.claims();
same('token_type', first.token_type, 'bearer');
same('the person', person.oid, settings.person);
const info = await client.fetchUserInfo(portal, first.access_token, person.sub);
same('the name', info.name, settings.name);
await passed('code with PKCE, ID token, UserInfo');

const second = await client.refreshTokenGrant(portal, first.refresh_token);
const active = await client.tokenIntrospection(portal, second.access_token);
same('active', active.active, true);
same('sub', active.sub, person.sub);
await passed('refresh and introspection');

const onward = await client.genericGrantRequest(portal, 'urn:ietf:params:oauth:grant-type:token-exchange', {
  subject_token: second.access_token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token', audience: 'planner',
});
same('issued_token_type', onward.issued_token_type, 'urn:ietf:params:oauth:token-type:access_token');
const called = await client.genericGrantRequest(planner, 'urn:ietf:params:oauth:grant-type:token-exchange', {
  subject_token: onward.access_token, subject_token_type: 'urn:ietf:params:oauth:token-type:jwt', resource: 'https://storage.example.test',
  requested_token_type: 'urn:ietf:params:oauth:token-type:jwt',
});
const known = await client.tokenIntrospection(planner, onward.access_token);
same('the planner sees its own', known.active && known.aud, 'https://planner.example.test');
let widened = '';
try {
  await client.genericGrantRequest(planner, 'urn:ietf:params:oauth:grant-type:token-exchange', {
    subject_token: onward.access_token, subject_token_type: 'urn:ietf:params:oauth:token-type:jwt', audience: 'payroll',
  });
} catch (e) {
  widened = e.error;
}
same('an exchange that widens', widened, 'invalid_target');
await passed('token exchange', { planner: onward.access_token, storage: called.access_token, id: first.id_token });

await client.tokenRevocation(portal, second.refresh_token);
same('active after revocation', (await client.tokenIntrospection(portal, second.access_token)).active, false);
same('what was exchanged for it', (await client.tokenIntrospection(planner, onward.access_token)).active, false);
let again = '';
try {
  await client.refreshTokenGrant(portal, second.refresh_token);
} catch (e) {
  again = e.error;
}
same('refreshing after revocation', again, 'invalid_grant');
await passed('revocation');

const direct = await code(portal, settings.portal.redirect, undefined, 'https://planner.example.test');
same('aud', (await client.tokenIntrospection(planner, direct.access_token)).aud, 'https://planner.example.test');
await passed('resource indicator');

const key = await client.randomDPoPKeyPair('ES256');
const bound = { DPoP: client.getDPoPHandle(native, key) };
const mine = await code(native, settings.native.redirect, bound);
same('token_type', mine.token_type, 'dpop');
same('the person', (await client.fetchUserInfo(native, mine.access_token, mine.claims().sub, bound)).oid, settings.person);
const next = await client.refreshTokenGrant(native, mine.refresh_token, undefined, bound);
same('token_type', next.token_type, 'dpop');
let bare = 0;
try {
  await client.fetchUserInfo(native, next.access_token, mine.claims().sub); // as a bearer token: no proof
} catch (e) {
  bare = e.status;
}
same('a bound token without its key', bare, 401);
await passed('DPoP');

const waiting = await client.initiateDeviceAuthorization(native, { scope: 'openid profile' });
await types(waiting.user_code);
const device = await client.pollDeviceAuthorizationGrant(native, waiting, undefined, bound);
same('token_type', device.token_type, 'dpop');
same('the person', (await client.fetchUserInfo(native, device.access_token, client.skipSubjectCheck, bound)).oid, settings.person);
await client.tokenRevocation(native, device.access_token);
await passed('device');
leave();
