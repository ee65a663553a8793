/* Every page: shows instants in the reader's zone. Pages of a signed-in person: leave as soon as the session is over. ES5. */
(function () {
  'use strict';

  var monthDay = { day: 'numeric', month: 'short' };
  var clock = { hour: 'numeric', minute: '2-digit' };
  var seconds = { hour: 'numeric', minute: '2-digit', second: '2-digit' };

  function midnight(d) { return new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime(); }

  function day(at, now) {
    var days = Math.round((midnight(at) - midnight(now)) / 864e5);
    if (days === 0) { return 'today'; }
    if (days === 1) { return 'tomorrow'; }
    if (days === -1) { return 'yesterday'; }
    return at.toLocaleDateString([], at.getFullYear() === now.getFullYear() ? monthDay : { day: 'numeric', month: 'short', year: 'numeric' });
  }

  function ago(at, now) {
    var s = Math.floor((now - at) / 1000);
    if (s < 120) { return 'now'; }
    if (s < 7200) { return Math.floor(s / 60) + ' min ago'; }
    if (s < 172800) { return Math.floor(s / 3600) + ' h ago'; }
    return Math.floor(s / 86400) + ' days ago';
  }

  /* Puts the words for an instant into a time element. */
  function show(element) {
    var at = new Date(element.getAttribute('datetime')), now = new Date();
    if (isNaN(at.getTime())) { return; }
    var time = at.toLocaleTimeString([], clock), on = day(at, now), prefix = on === 'today' ? '' : on + ', ';
    switch (element.getAttribute('data-show')) {
      case 'clock': element.textContent = prefix + time; break;
      case 'seconds': element.textContent = prefix + at.toLocaleTimeString([], seconds); break;
      case 'date': element.textContent = on; break;
      case 'ago': element.textContent = ago(at, now); break;
      default: element.textContent = on + ', ' + time;
    }
    element.title = at.toLocaleString();
  }

  function showAll() {
    var all = document.querySelectorAll('time[datetime]');
    for (var i = 0; i < all.length; i++) { show(all[i]); }
  }

  /* For the script of the status page, which adds instants later. */
  window.curfew = { show: show };
  showAll();

  var focus = document.querySelector('[data-focus]');
  if (focus) { focus.focus(); }

  var body = document.body;
  if (!body.hasAttribute('data-guard')) { return; }

  var root = document.documentElement, leaving = false;

  function leave() {
    if (leaving) { return; }
    leaving = true;
    root.hidden = true;
    var to = body.getAttribute('data-ended-url');
    if (to) { location.replace(to); } else { location.reload(); }
  }

  /* A page kept by the browser for the back button is blank in there and is loaded again before anything shows. */
  window.addEventListener('pagehide', function (e) { if (e.persisted) { root.hidden = true; } });
  window.addEventListener('pageshow', function (e) { if (e.persisted) { leave(); } });

  if (window.BroadcastChannel) {
    new BroadcastChannel('session').onmessage = function (e) {
      if (e.data && e.data.type === 'ended') { leave(); }
    };
  }

  var probe = body.getAttribute('data-probe-url'), last = 0;
  if (!probe) { return; }

  function ask() {
    var now = new Date().getTime();
    if (document.visibilityState === 'hidden' || now - last < 1000) { return; }
    last = now;
    var x = new XMLHttpRequest();
    x.open('GET', probe);
    x.onload = function () { if (x.status === 401) { leave(); } };
    x.send();
  }

  document.addEventListener('visibilitychange', ask);
  window.addEventListener('focus', ask);
  window.addEventListener('pageshow', ask);
  setInterval(ask, 30000);
})();
