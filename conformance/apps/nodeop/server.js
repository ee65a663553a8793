// Another OpenID provider: oidc-provider with its development pages, which take any name and password.
// Environment: ISSUER, PORT, CLIENT_SECRET, and CURFEW, the issuer of the Curfew that is its client.
import Provider from 'oidc-provider'

const base = `${process.env.CURFEW}/upstream/node`
const provider = new Provider(process.env.ISSUER, {
  clients: [{
    client_id: 'curfew',
    client_secret: process.env.CLIENT_SECRET,
    redirect_uris: [`${base}/callback`],
    post_logout_redirect_uris: [`${base}/signed_out`],
    backchannel_logout_uri: `${base}/backchannel_logout`,
    backchannel_logout_session_required: true
  }],
  features: {
    backchannelLogout: { enabled: true },
    devInteractions: { enabled: true },
    rpInitiatedLogout: { enabled: true }
  },
  // Its own fetch refuses private addresses, and Curfew is at one in this test.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  cookies: { keys: ['only for tests'] },
  claims: { openid: ['sub'], profile: ['preferred_username'], email: ['email', 'email_verified'] },
  async findAccount (ctx, id) {
    return { accountId: id, claims: async () => ({ sub: id, preferred_username: id }) }
  }
})
provider.on('backchannel.error', (ctx, err) => console.log('back channel:', err.message, err.cause))
provider.listen(process.env.PORT, '127.0.0.1')
