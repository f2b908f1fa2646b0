// Package bench measures agentproto beside what else brings requests to an
// agent: plain TLS without a tunnel, rancher/remotedialer, and yamux in the
// place of HTTP/2. It is a module of its own, because nothing but the
// comparison needs those libraries. README.md says how to run it and what came
// out.
package bench
