// oauth4webapi, which leaves nothing out: each answer is checked as its RFC says; and jose, which verifies the tokens.
import { leave, passed, same, settings, types, visits } from './person.mjs';
import * as oauth from 'oauth4webapi';
import * as jose from 'jose';

const issuer = new URL(settings.issuer);
const insecure = { [oauth.allowInsecureRequests]: true };
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { ...insecure, algorithm: 'oauth2' }));
const oidc = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { ...insecure, algorithm: 'oidc' }));
same('the two documents', JSON.stringify(as), JSON.stringify(oidc));

const native = { client_id: settings.native.id };
const portal = { client_id: settings.portal.id };
const portalAuth = oauth.ClientSecretPost(settings.portal.secret);
const planner = { client_id: settings.planner.id };
const plannerAuth = oauth.ClientSecretBasic(settings.planner.secret);
const DPoP = oauth.DPoP(native, await oauth.generateKeyPair('ES256'));

// withNonce asks again with the nonce that the server wants (RFC 9449 section 8).
async function withNonce(request, process) {
  try {
    return await process(await request());
  } catch (e) {
    if (!oauth.isDPoPNonceError(e)) throw e;
    return process(await request());
  }
}

async function code(client, auth, redirect, options) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const nonce = oauth.generateRandomNonce();
  const to = new URL(as.authorization_endpoint);
  to.search = new URLSearchParams({
    client_id: client.client_id, redirect_uri: redirect, response_type: 'code', scope: 'openid offline_access', state, nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  });
  const parameters = oauth.validateAuthResponse(as, client, await visits(to), state);
  return withNonce(
    () => oauth.authorizationCodeGrantRequest(as, client, auth, parameters, redirect, verifier, { ...insecure, ...options }),
    (response) => oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce: nonce, requireIdToken: true }),
  );
}

const mine = await code(native, oauth.None(), settings.native.redirect, { DPoP });
same('token_type', mine.token_type, 'dpop');
const info = await withNonce(
  () => oauth.userInfoRequest(as, native, mine.access_token, { ...insecure, DPoP }),
  (response) => oauth.processUserInfoResponse(as, native, oauth.getValidatedIdTokenClaims(mine).sub, response),
);
same('the person', info.oid, settings.person);
const next = await withNonce(
  () => oauth.refreshTokenGrantRequest(as, native, oauth.None(), mine.refresh_token, { ...insecure, DPoP }),
  (response) => oauth.processRefreshTokenResponse(as, native, response),
);
await passed('code with PKCE, DPoP with nonces, refresh');

const waiting = await oauth.processDeviceAuthorizationResponse(as, native, await oauth.deviceAuthorizationRequest(as, native, oauth.None(), { scope: 'openid' }, insecure));
await types(waiting.user_code);
const device = await withNonce(
  () => oauth.deviceCodeGrantRequest(as, native, oauth.None(), waiting.device_code, { ...insecure, DPoP }),
  (response) => oauth.processDeviceCodeResponse(as, native, response),
);
same('token_type', device.token_type, 'dpop');
await passed('device');

const theirs = await code(portal, portalAuth, settings.portal.redirect);
const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const onward = await oauth.processGenericTokenEndpointResponse(as, portal, await oauth.genericTokenEndpointRequest(as, portal, portalAuth, exchange, {
  subject_token: theirs.access_token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token', audience: 'planner',
}, insecure));
const cloud = await oauth.processGenericTokenEndpointResponse(as, planner, await oauth.genericTokenEndpointRequest(as, planner, plannerAuth, exchange, {
  subject_token: onward.access_token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token', audience: 'cloud',
}, insecure));
const told = await oauth.processIntrospectionResponse(as, planner, await oauth.introspectionRequest(as, planner, plannerAuth, onward.access_token, insecure));
same('active', told.active, true);
await passed('token exchange and introspection');

// jose: each kind of token by the published keys, and at nobody else's.
const keys = jose.createRemoteJWKSet(new URL(as.jwks_uri));
const common = { issuer: settings.issuer };
const id = await jose.jwtVerify(theirs.id_token, keys, { ...common, audience: settings.portal.id, algorithms: ['ES256'] });
same('oid', id.payload.oid, settings.person);
const workload = await jose.jwtVerify(onward.access_token, keys, { ...common, audience: 'https://planner.example.test', typ: settings.workloadType, algorithms: ['ES256'] });
same('act', workload.payload.act.sub, `client:${settings.portal.id}`);
same('project', workload.payload.project, 'payments');
const federated = await jose.jwtVerify(cloud.access_token, keys, { ...common, audience: 'sts.cloud.example.test', algorithms: ['RS256'] });
same('sub', federated.payload.sub, id.payload.sub);
for (const [what, raw, options] of [
  ['an ID token as a token for the planner', theirs.id_token, { audience: 'https://planner.example.test' }],
  ['a token for the planner as an ID token', onward.access_token, { audience: settings.portal.id }],
  ['a token for a cloud with the other algorithm', cloud.access_token, { audience: 'sts.cloud.example.test', algorithms: ['ES256'] }],
]) {
  const refused = await jose.jwtVerify(raw, keys, { ...common, ...options }).then(() => false, () => true);
  same(what, refused, true);
}
await passed('jose verifies');

await oauth.processRevocationResponse(await oauth.revocationRequest(as, portal, portalAuth, theirs.access_token, insecure));
const ended = await oauth.processIntrospectionResponse(as, planner, await oauth.introspectionRequest(as, planner, plannerAuth, onward.access_token, insecure));
same('active after revocation', ended.active, false);
await oauth.processRevocationResponse(await oauth.revocationRequest(as, native, oauth.None(), next.refresh_token, insecure));
await passed('revocation');
leave();
