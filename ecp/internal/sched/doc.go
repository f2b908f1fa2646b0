// Package sched decides which cluster is worked on next. [Queue] holds each cluster once and
// shares the workers fairly among flows; [WriteLimiter] and [BrokerLimiter] bound how much
// is written to a target, and asked of a broker, at a time. [Backoff] says when what failed is
// tried again.
package sched
