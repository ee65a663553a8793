(function () {
  var ids = ['username', 'password', 'sign-in', 'allow', 'sign-out', 'signed-out', 'error-description', 'error-app', 'submission_complete'];
  return {
    url: document.location.href,
    loaded: document.readyState === 'complete',
    ids: ids.filter(function (id) { return document.getElementById(id); }),
    document: performance.timeOrigin
  };
})()
