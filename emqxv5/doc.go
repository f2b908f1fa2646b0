// Package emqxv5 speaks to EMQX 5: it is the [ecp.Adapter] of that major.
//
// It is an HTTP client of the management API at /api/v5 (the dashboard's port,
// 18083) and takes an API key and its secret. It knows nothing of tunnels or
// Kubernetes: those come as the endpoint's transport. A broker that is slow,
// half dead, lying about content types or endless in its answers costs a
// bounded time and memory. What the major does its own way is in habits.go.
package emqxv5
