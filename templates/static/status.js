/* Signed-out page and report: what became of an ending, as it becomes known; then back to where the person came from. ES5. */
(function () {
  'use strict';

  var box = document.getElementById('status');
  if (!box) { return; }

  /* Other tabs of this browser leave their pages. */
  if (box.hasAttribute('data-fresh') && window.BroadcastChannel) { new BroadcastChannel('session').postMessage({ type: 'ended' }); }

  /* Fills an element with a text in parts; leaves it alone if nothing changed, so that nothing is read out twice. */
  function fill(element, parts) {
    var key = JSON.stringify(parts);
    if (!element || element.getAttribute('data-parts') === key) { return; }
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

  function update(status) {
    fill(document.getElementById('summary'), status.summary);
    var rows = box.querySelectorAll('[data-holder]');
    for (var i = 0; i < rows.length; i++) {
      for (var k = 0; k < status.holders.length; k++) {
        var line = status.holders[k];
        if (line.id !== rows[i].getAttribute('data-holder')) { continue; }
        rows[i].className = 'holder is-' + line.icon;
        rows[i].querySelector('use').setAttribute('href', '#icon-' + line.icon);
        fill(rows[i].querySelector('.word'), line.word);
        fill(rows[i].querySelector('.sentence'), line.sentence);
      }
    }
    for (var name in status.numbers || {}) { fill(box.querySelector('[data-number=' + name + ']'), status.numbers[name]); }
  }

  var start = new Date().getTime(), url = box.getAttribute('data-status-url');
  var next = box.getAttribute('data-continue-url'), wait = +box.getAttribute('data-wait');
  var loaded = document.readyState === 'complete', done = !url, confirmed = box.hasAttribute('data-confirmed');
  var timer = 0, stayed = false, since = 0;

  /* Goes on when all have confirmed and their frames have loaded, after a moment to read it; else after the wait. */
  function plan() {
    if (!next || stayed) { return; }
    clearTimeout(timer);
    var now = new Date().getTime(), at = start + wait;
    if (loaded && done && confirmed) {
      since = since || now;
      at = Math.min(at, since + 1500);
    }
    timer = setTimeout(function () { location.replace(next); }, Math.max(0, at - now));
  }

  function ask() {
    var x = new XMLHttpRequest(), age = new Date().getTime() - start;
    x.open('GET', url);
    x.onload = function () {
      if (x.status !== 200) { return; }
      var status = JSON.parse(x.responseText);
      update(status);
      done = status.done;
      confirmed = status.confirmed;
      if (!done) { setTimeout(ask, age < 15000 ? 700 : 5000); }
      if (done) { plan(); }
    };
    x.onerror = function () { setTimeout(ask, 5000); };
    x.send();
  }

  window.addEventListener('load', function () { loaded = true; plan(); });
  if (url) { setTimeout(ask, 300); }
  if (!next) { return; }

  var stay = document.getElementById('stay-here');
  stay.hidden = false;
  stay.addEventListener('click', function () {
    stayed = true;
    clearTimeout(timer);
    stay.hidden = true;
    document.getElementById('continue').focus();
  });
  plan();
})();
