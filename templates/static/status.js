/* Signed-out page and report: what became of a sign-out, as it becomes known; then back to where the user came from. ES5. */
(function () {
  'use strict';

  var box = document.getElementById('status');
  if (!box) { return; }

  /* Other tabs of this browser leave their pages. */
  if (box.hasAttribute('data-fresh') && window.BroadcastChannel) { new BroadcastChannel('session').postMessage({ type: 'ended' }); }

  /* Fills an element with a text in parts; leaves it as it is if nothing changed, so that nothing is read out twice. */
  function fill(element, parts) {
    var key = JSON.stringify(parts);
    if (!element || parts === undefined || element.getAttribute('data-parts') === key) { return; }
    element.setAttribute('data-parts', key);
    while (element.firstChild) { element.removeChild(element.firstChild); }
    for (var i = 0; parts && i < parts.length; i++) {
      if (!parts[i].time) {
        element.appendChild(document.createTextNode(parts[i].text));
        continue;
      }
      var time = document.createElement('time');
      time.setAttribute('datetime', parts[i].time);
      time.setAttribute('data-show', parts[i].show);
      element.appendChild(time);
      window.curfew.show(time);
    }
  }

  /* Moves an entry to the list of its group, so that what needs attention stands first. */
  function place(entry, line) {
    var list = box.querySelector('ul[data-group=' + line.group + ']');
    if (entry.parentNode !== list) { list.appendChild(entry); }
  }

  function update(status) {
    fill(document.getElementById('signed-out'), status.heading);
    fill(document.getElementById('summary'), status.summary);
    fill(document.getElementById('done-title'), status.done_title);
    for (var k = 0; k < status.entries.length; k++) {
      var line = status.entries[k], entry = box.querySelector('[data-entry="' + line.id + '"]');
      if (!entry) { continue; }
      entry.className = 'entry is-' + line.icon;
      entry.querySelector('use').setAttribute('href', '#icon-' + line.icon);
      fill(entry.querySelector('.word'), line.word);
      fill(entry.querySelector('.sentence'), line.sentence);
      fill(box.querySelector('[data-detail="' + line.id + '"]'), line.detail);
      place(entry, line);
    }
    var lists = box.querySelectorAll('ul[data-group]');
    for (var i = 0; i < lists.length; i++) { lists[i].hidden = !lists[i].children.length; }
    var done = document.getElementById('done');
    if (done) { done.hidden = done.querySelector('ul').hidden; }
    for (var name in status.horizon || {}) { fill(box.querySelector('[data-horizon=' + name + ']'), status.horizon[name]); }
  }

  var start = new Date().getTime(), url = box.getAttribute('data-status-url');
  var next = box.getAttribute('data-continue-url'), wait = +box.getAttribute('data-wait');
  var loaded = document.readyState === 'complete', done = !url, settled = box.hasAttribute('data-settled');
  var timer = 0, stopped = false, settledAt = 0, going = document.getElementById('going');

  /* Goes on 1.5 s after all apps that are asked have answered and the frames have loaded; else after the wait. */
  function leaveAt() {
    var at = start + wait;
    if (loaded && settled) {
      settledAt = settledAt || new Date().getTime();
      at = Math.min(at, settledAt + 1500);
    }
    return at;
  }

  /* Counts down, in whole seconds, until the page goes on. */
  function tick() {
    if (stopped) { return; }
    var left = leaveAt() - new Date().getTime();
    if (left <= 0) { location.replace(next); return; }
    going.querySelector('[data-countdown]').textContent = Math.ceil(left / 1000).toLocaleString(document.documentElement.lang);
    timer = setTimeout(tick, left % 1000 || 1000);
  }

  function restart() {
    if (!next || stopped) { return; }
    clearTimeout(timer);
    tick();
  }

  function ask() {
    var x = new XMLHttpRequest(), age = new Date().getTime() - start;
    x.open('GET', url);
    x.onload = function () {
      if (x.status !== 200) { return; }
      var status = JSON.parse(x.responseText);
      update(status);
      done = status.done;
      settled = status.settled;
      if (!done) { setTimeout(ask, age < 15000 ? 700 : 5000); }
      restart();
    };
    x.onerror = function () { setTimeout(ask, 5000); };
    x.send();
  }

  window.addEventListener('load', function () { loaded = true; restart(); });
  if (url) { setTimeout(ask, 300); }
  if (!next) { return; }

  var stay = document.getElementById('stay-here');
  going.hidden = stay.hidden = false;
  stay.addEventListener('click', function () {
    stopped = true;
    clearTimeout(timer);
    going.hidden = stay.hidden = true;
    document.getElementById('continue').focus();
  });
  tick();
})();
