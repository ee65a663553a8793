/* Pages with passkeys: asks the browser for a passkey and sends its answer in the page's form. ES5. */
(function () {
  'use strict';

  var form = document.querySelector('form[data-passkey]');
  if (!form) { return; }
  if (!window.PublicKeyCredential || !navigator.credentials) {
    show('passkey-unsupported');
    return;
  }
  form.hidden = false;

  var creates = form.getAttribute('data-passkey') === 'create', pending = null, asked = 0;

  function show(id) {
    var element = document.getElementById(id);
    if (element) { element.hidden = false; }
  }

  function bytes(text) {
    var raw = atob(text.replace(/-/g, '+').replace(/_/g, '/')), all = new Uint8Array(raw.length);
    for (var i = 0; i < raw.length; i++) { all[i] = raw.charCodeAt(i); }
    return all.buffer;
  }

  function text(buffer) {
    var all = new Uint8Array(buffer), raw = '';
    for (var i = 0; i < all.length; i++) { raw += String.fromCharCode(all[i]); }
    return btoa(raw).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  }

  function descriptors(list) {
    for (var i = 0; list && i < list.length; i++) { list[i].id = bytes(list[i].id); }
  }

  function options() {
    var o = JSON.parse(form.getAttribute('data-options'));
    o.challenge = bytes(o.challenge);
    if (o.user) { o.user.id = bytes(o.user.id); }
    descriptors(o.allowCredentials);
    descriptors(o.excludeCredentials);
    return o;
  }

  /* The answer as JSON: Web Authentication Level 3 section 5.1. */
  function answer(credential) {
    var from = credential.response, response = { clientDataJSON: text(from.clientDataJSON) };
    if (creates) {
      response.attestationObject = text(from.attestationObject);
      response.transports = from.getTransports ? from.getTransports() : [];
    } else {
      response.authenticatorData = text(from.authenticatorData);
      response.signature = text(from.signature);
      if (from.userHandle) { response.userHandle = text(from.userHandle); }
    }
    return JSON.stringify({
      id: credential.id, rawId: text(credential.rawId), type: credential.type, response: response, clientExtensionResults: {}
    });
  }

  function send(credential) {
    var keep = document.getElementById('keep');
    form.elements.credential.value = answer(credential);
    if (keep && form.elements.keep) { form.elements.keep.value = keep.checked ? 'on' : ''; }
    var oldest = document.getElementById('end-oldest');
    if (oldest && form.elements['end-oldest']) { form.elements['end-oldest'].value = oldest.checked ? 'on' : ''; }
    form.submit();
  }

  /* Asks at once, or with a mediation of "conditional" when the user picks a passkey from the list of the user name's field. */
  function ask(mediation) {
    var request = { publicKey: options() }, number = asked += 1;
    if (pending) { pending.abort(); }
    if (window.AbortController) {
      pending = new AbortController();
      request.signal = pending.signal;
    }
    if (mediation) { request.mediation = mediation; }
    (creates ? navigator.credentials.create(request) : navigator.credentials.get(request)).then(send, function () {
      if (number === asked && !mediation) { show('passkey-failed'); }
    });
  }

  form.addEventListener('submit', function (e) {
    e.preventDefault();
    ask('');
  });

  var conditional = PublicKeyCredential.isConditionalMediationAvailable;
  if (!creates && document.getElementById('username') && conditional) {
    PublicKeyCredential.isConditionalMediationAvailable().then(function (available) {
      if (available && !asked) { ask('conditional'); }
    });
  }
})();
