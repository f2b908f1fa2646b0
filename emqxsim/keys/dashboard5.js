// The dashboard of a simulated EMQX 5: who is logged in, and the nodes.
"use strict";
(function () {
  var key = "uKV5";
  var app = document.getElementById("app");
  var handed = /[?&]login_meta=([^&]+)/.exec(location.hash);
  if (handed) {
    localStorage.setItem(key, atob(decodeURIComponent(handed[1])));
    location.hash = "#/dashboard/overview";
  }
  var session = JSON.parse(localStorage.getItem(key) || "null");
  if (!session || !session.token) {
    location.hash = "#/login";
    app.textContent = "Please log in.";
    return;
  }
  fetch("api/v5/nodes", { headers: { Authorization: "Bearer " + session.token } })
    .then(function (r) {
      if (r.status === 401) {
        localStorage.removeItem(key);
        location.hash = "#/login";
        throw new Error("the login has ended");
      }
      return r.json();
    })
    .then(function (nodes) {
      app.textContent = nodes.map(function (n) { return n.node + ": " + n.node_status; }).join(", ");
    })
    .catch(function (e) { app.textContent = String(e); });
})();
