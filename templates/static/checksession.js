/* Session Management 1.0 section 3.2: answers a relying party's frame whether the browser state is still the one that its session_state
   was made from. ES5, and SHA-256 in plain script: crypto.subtle is asynchronous and not everywhere. */
(function () {
  "use strict";
  var script = document.getElementById("check");
  var cookie = script.getAttribute("data-cookie") + "=";
  var originsURL = script.getAttribute("data-origins-url");
  var known = {};

  function browserState() {
    var all = document.cookie.split("; "), i;
    for (i = 0; i < all.length; i += 1) {
      if (all[i].indexOf(cookie) === 0) { return all[i].substring(cookie.length); }
    }
    return "";
  }

  /* Calls back with whether that origin is one of the client's: only its owner may be answered. */
  function expected(client, origin, then) {
    var key = client + " " + origin, request;
    if (known.hasOwnProperty(key)) { then(known[key]); return; }
    request = new XMLHttpRequest();
    request.open("GET", originsURL + "?client_id=" + encodeURIComponent(client) + "&origin=" + encodeURIComponent(origin));
    request.onreadystatechange = function () {
      if (request.readyState !== 4) { return; }
      known[key] = request.status === 204;
      then(known[key]);
    };
    request.send();
  }

  function judge(client, origin, state) {
    var dot = state.lastIndexOf("."), salt = state.substring(dot + 1), browser = browserState();
    /* A hidden cookie is no change: "changed" would send the application round in circles. */
    if (dot < 0 || !browser) { return "error"; }
    return sha256(client + " " + origin + " " + browser + " " + salt) + "." + salt === state ? "unchanged" : "changed";
  }

  window.addEventListener("message", function (e) {
    var space, client;
    function reply(text) { e.source.postMessage(text, e.origin); }
    if (typeof e.data !== "string" || !e.source || e.source === window) { return; }
    space = e.data.lastIndexOf(" ");
    if (space < 1 || space === e.data.length - 1) { reply("error"); return; }
    client = e.data.substring(0, space);
    expected(client, e.origin, function (ok) {
      reply(ok ? judge(client, e.origin, e.data.substring(space + 1)) : "error");
    });
  });

  function sha256(text) {
    var k = [], h = [], i, j, n, w, a, b, c, d, e, f, g, x, s0, s1, t1, t2, bytes = [], bits, out = "";
    function fraction(v) { return ((v - Math.floor(v)) * 4294967296) | 0; }
    function right(v, by) { return (v >>> by) | (v << (32 - by)); }
    for (n = 2; k.length < 64; n += 1) {
      for (i = 2; i * i <= n && n % i; i += 1) { /* look for a divisor */ }
      if (i * i > n) {
        if (h.length < 8) { h.push(fraction(Math.pow(n, 1 / 2))); }
        k.push(fraction(Math.pow(n, 1 / 3)));
      }
    }
    text = unescape(encodeURIComponent(text));
    for (i = 0; i < text.length; i += 1) { bytes.push(text.charCodeAt(i)); }
    bits = bytes.length * 8;
    bytes.push(128);
    while (bytes.length % 64 !== 56) { bytes.push(0); }
    bytes.push(0, 0, 0, 0, (bits >>> 24) & 255, (bits >>> 16) & 255, (bits >>> 8) & 255, bits & 255);
    for (j = 0; j < bytes.length; j += 64) {
      w = [];
      for (i = 0; i < 64; i += 1) {
        if (i < 16) {
          w[i] = (bytes[j + i * 4] << 24) | (bytes[j + i * 4 + 1] << 16) | (bytes[j + i * 4 + 2] << 8) | bytes[j + i * 4 + 3];
        } else {
          x = w[i - 15];
          s0 = right(x, 7) ^ right(x, 18) ^ (x >>> 3);
          x = w[i - 2];
          s1 = right(x, 17) ^ right(x, 19) ^ (x >>> 10);
          w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
        }
      }
      a = h[0]; b = h[1]; c = h[2]; d = h[3]; e = h[4]; f = h[5]; g = h[6]; x = h[7];
      for (i = 0; i < 64; i += 1) {
        s1 = right(e, 6) ^ right(e, 11) ^ right(e, 25);
        t1 = (x + s1 + ((e & f) ^ (~e & g)) + k[i] + w[i]) | 0;
        s0 = right(a, 2) ^ right(a, 13) ^ right(a, 22);
        t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        x = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
      }
      h[0] = (h[0] + a) | 0; h[1] = (h[1] + b) | 0; h[2] = (h[2] + c) | 0; h[3] = (h[3] + d) | 0;
      h[4] = (h[4] + e) | 0; h[5] = (h[5] + f) | 0; h[6] = (h[6] + g) | 0; h[7] = (h[7] + x) | 0;
    }
    for (i = 0; i < 8; i += 1) {
      for (j = 3; j >= 0; j -= 1) {
        n = (h[i] >>> (j * 8)) & 255;
        out += (n < 16 ? "0" : "") + n.toString(16);
      }
    }
    return out;
  }
})();
