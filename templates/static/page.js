/* Every page: shows times in the reader's own zone, and passwords on request. Pages of a signed-in user: leave as soon as the
   session has ended. ES5. */
(function () {
  'use strict';

  var monthDay = { day: 'numeric', month: 'short' };
  var clock = { hour: 'numeric', minute: '2-digit' };
  var full = { day: 'numeric', month: 'short', hour: 'numeric', minute: '2-digit' };
  var language = document.documentElement.lang;
  /* Times look as the reader's region writes the page's language: 10:02 for en-GB. */
  var region = (navigator.languages || []).filter(function (tag) { return tag.split('-')[0] === language.split('-')[0]; })[0] || language;
  /* Words such as "yesterday" and "2 hr. ago" are the browser's, in the page's language. */
  var relative = window.Intl && Intl.RelativeTimeFormat && new Intl.RelativeTimeFormat(language, { numeric: 'auto', style: 'short' });

  function midnight(d) { return new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime(); }

  function daysFrom(now, at) { return Math.round((midnight(at) - midnight(now)) / 864e5); }

  function day(at, now) {
    var days = daysFrom(now, at);
    if (relative && Math.abs(days) < 2) { return relative.format(days, 'day'); }
    return at.toLocaleDateString(region, at.getFullYear() === now.getFullYear() ? monthDay : { day: 'numeric', month: 'short', year: 'numeric' });
  }

  function ago(at, now) {
    var s = Math.floor((now - at) / 1000);
    if (s < 7200) { return relative.format(-Math.floor(s / 60), 'minute'); }
    if (s < 172800) { return relative.format(-Math.floor(s / 3600), 'hour'); }
    return relative.format(-Math.floor(s / 86400), 'day');
  }

  /* Puts the words for a time into a time element. Where the browser lacks the words, those of the server stay. */
  function show(element) {
    var at = new Date(element.getAttribute('datetime')), now = new Date();
    if (isNaN(at.getTime())) { return; }
    var today = daysFrom(now, at) === 0;
    switch (element.getAttribute('data-show')) {
      case 'clock': element.textContent = today ? at.toLocaleTimeString(region, clock) : at.toLocaleString(region, full); break;
      case 'date': element.textContent = day(at, now); break;
      case 'ago': if (relative && now - at >= 120000) { element.textContent = ago(at, now); } break;
      default: element.textContent = day(at, now) + ', ' + at.toLocaleTimeString(region, clock);
    }
    element.title = at.toLocaleString(region);
  }

  function showAll() {
    var all = document.querySelectorAll('time[datetime]');
    for (var i = 0; i < all.length; i++) { show(all[i]); }
  }

  function toggle() {
    var field = document.getElementById(this.getAttribute('data-reveal')), shown = field.type === 'text';
    field.type = shown ? 'password' : 'text';
    this.setAttribute('aria-pressed', String(!shown));
    field.focus();
  }

  var reveal = document.querySelectorAll('[data-reveal]');
  for (var i = 0; i < reveal.length; i++) {
    reveal[i].hidden = false;
    reveal[i].addEventListener('click', toggle);
  }

  /* For the script of the status page, which adds times later. */
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
