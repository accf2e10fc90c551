// npm oidc-provider as it issues tokens: by a client's own credentials, by an exchange of a token that was issued so, and
// what it says of one that it keeps. In memory, ES256, nothing logged. Arguments: where the package is, and the port.
import { generateKeyPairSync } from 'node:crypto';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [, , folder, port] = process.argv;
const find = createRequire(`${folder}/package.json`);
const load = (name) => import(pathToFileURL(find.resolve(name)));
const { default: Provider, errors } = await load('oidc-provider');
const { createLocalJWKSet, jwtVerify } = await load('jose');

const issuer = `http://127.0.0.1:${port}`;
const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const key = { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256', kid: 'one' };
const client = (id) => ({
  client_id: id, client_secret: 'only-the-benchmark-knows-this', grant_types: ['client_credentials', exchange], redirect_uris: [], response_types: [],
});
const resource = (value) => ({ scope: '', audience: value, accessTokenFormat: 'jwt', accessTokenTTL: 600, jwt: { sign: { alg: 'ES256' } } });

// The package's own adapter keeps a thousand entries.
const kept = new Map();
class Memory {
  constructor(model) { this.model = model; }
  async upsert(id, payload) { kept.set(`${this.model} ${id}`, payload); }
  async find(id) { return kept.get(`${this.model} ${id}`); }
  async destroy(id) { kept.delete(`${this.model} ${id}`); }
}

const provider = new Provider(issuer, {
  adapter: Memory,
  clients: [client('front')],
  enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
  features: {
    devInteractions: { enabled: false }, clientCredentials: { enabled: true }, introspection: { enabled: true },
    resourceIndicators: { enabled: true, defaultResource: () => undefined, getResourceServerInfo: (_, value) => resource(value) },
  },
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  jwks: { keys: [key] },
  ttl: { ClientCredentials: 600 },
});

// The package leaves what an exchange checks to who registers it: here the subject token's signature, issuer and times.
const keys = createLocalJWKSet({ keys: [{ kty: key.kty, crv: key.crv, x: key.x, y: key.y, alg: key.alg, kid: key.kid }] });
provider.registerGrantType(exchange, async (ctx) => {
  const { params } = ctx.oidc;
  const { payload } = await jwtVerify(params.subject_token, keys, { issuer, algorithms: ['ES256'] }).catch(() => { throw new errors.InvalidGrant(); });
  const token = new provider.ClientCredentials({ client: ctx.oidc.client, extra: { act: { sub: payload.client_id } } });
  token.resourceServer = new provider.ResourceServer(params.audience, resource(params.audience));
  ctx.body = {
    access_token: await token.save(), issued_token_type: 'urn:ietf:params:oauth:token-type:access_token', token_type: token.tokenType, expires_in: token.expiration,
  };
}, ['subject_token', 'subject_token_type', 'audience']);

provider.on('server_error', (_, error) => console.error(error));
provider.listen(Number(port), '127.0.0.1');
