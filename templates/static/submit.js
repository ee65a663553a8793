/* Sends the page's form at once, except when the user came back to it with the back button. ES5. */
(function () {
  'use strict';
  var navigation = window.performance && window.performance.navigation;
  if (navigation && navigation.type === 2) { return; }
  document.getElementById('submit-form').click();
})();
