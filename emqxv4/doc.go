// Package emqxv4 speaks to EMQX 4.4: it is the [ecp.Adapter] of that major.
//
// It is an HTTP client of the management API at /api/v4 (port 8081, and 18083
// for a dashboard user) and takes an AppID and its AppSecret. It knows nothing
// of tunnels or Kubernetes: those come as the endpoint's transport. A broker
// that is slow, half dead, lying about content types or endless in its answers
// costs a bounded time and memory. What the major does its own way is in
// habits.go.
package emqxv4
