// A single-page app as the documentation of oidc-client-ts shows it. settings.json has its issuer.
"use strict";

const state = document.getElementById("state");

function show(user) {
  state.textContent = user && !user.expired ? "signed in as " + user.profile.sub : "not signed in";
}

async function start() {
  const { issuer } = await (await fetch("/settings.json")).json();
  const manager = new oidc.UserManager({
    authority: issuer,
    client_id: "spa",
    redirect_uri: location.origin + "/",
    post_logout_redirect_uri: location.origin + "/",
    silent_redirect_uri: location.origin + "/silent.html",
    scope: "openid",
    monitorSession: true,
    checkSessionIntervalInSeconds: 1,
    automaticSilentRenew: false,
  });
  manager.events.addUserSignedOut(async () => {
    await manager.removeUser();
    show(null);
  });
  document.getElementById("login").onclick = () => manager.signinRedirect();
  document.getElementById("logout").onclick = () => manager.signoutRedirect();
  if (new URLSearchParams(location.search).has("code")) {
    await manager.signinRedirectCallback();
    history.replaceState(null, "", "/");
  }
  show(await manager.getUser());
}

start().catch((err) => { state.textContent = "failed: " + err.message; });
