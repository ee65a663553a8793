(function () {
  "use strict";
  var byId = function (id) { return document.getElementById(id); };
  function list(messages) {
    byId("received").hidden = !messages.length;
    byId("messages").replaceChildren.apply(byId("messages"), messages.map(function (message) {
      var line = document.createElement("li");
      line.textContent = new Date(message.at).toLocaleTimeString() + " " + message.channel + ", answered " + message.answer;
      return line;
    }));
  }
  function show(state) {
    list(state.messages || []);
    byId("main").setAttribute("data-signed-in", String(state.signedIn));
    byId("in").hidden = !state.signedIn;
    byId("out").hidden = state.signedIn;
    if (state.signedIn) {
      byId("name").textContent = state.name;
      byId("sid").textContent = state.sid;
      byId("since").textContent = new Date(state.since).toLocaleTimeString();
      return;
    }
    if (state.ended) {
      byId("logout-message").textContent = "Signed out at " + new Date(state.ended.at).toLocaleTimeString() + ", by: " + state.ended.channel;
      byId("claims").hidden = !state.ended.claims;
      byId("claims").textContent = state.ended.claims ? JSON.stringify(state.ended.claims, null, 2) : "";
    }
  }
  function ask() {
    fetch("/state", {cache: "no-store"}).then(function (r) { return r.json(); }).then(show).catch(function () {})
      .then(function () { setTimeout(ask, 500); });
  }
  ask();
})();
