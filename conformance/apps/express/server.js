// A relying party built with express-openid-connect, as its own documentation shows it. Settings come from the environment.
const express = require("express");
const { auth, requiresAuth } = require("express-openid-connect");

// The library wants a store of the express-session kind for the sessions that logout tokens named.
class Store {
  constructor() { this.entries = new Map(); }
  get(id, done) { done(null, this.entries.get(id)); }
  set(id, value, done) { this.entries.set(id, value); done(null); }
  destroy(id, done) { this.entries.delete(id); done(null); }
}

const app = express();
app.use(auth({
  authRequired: false,
  issuerBaseURL: process.env.ISSUER,
  baseURL: process.env.BASE_URL,
  clientID: process.env.CLIENT_ID,
  clientSecret: process.env.CLIENT_SECRET,
  secret: "a long secret for the cookies of a test",
  idTokenSigningAlg: "RS256",
  idpLogout: true,
  authorizationParams: { response_type: "code", scope: "openid profile email" },
  backchannelLogout: { store: new Store() },
}));
app.get("/me", requiresAuth(), (req, res) => res.json(req.oidc.user));
app.get("/who", (req, res) => res.json({ signedIn: req.oidc.isAuthenticated() }));
app.listen(Number(process.env.PORT), "127.0.0.1", () => console.log("listening"));
