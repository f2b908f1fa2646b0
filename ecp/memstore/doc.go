// Package memstore is a Store in memory: for tests, for embedders that keep
// nothing, and as the model other stores are compared with.
//
// It keeps every promise of [ecp.Store] but surviving the process. Readers
// never wait: each works on the state as it was when it began. Writers take
// turns. Watchers are woken by the write itself; nothing is polled, and no
// goroutine is started.
//
// The cost of a write grows with the number of records of its kind: two lists
// of pointers are copied.
package memstore
