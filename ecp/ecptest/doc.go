// Package ecptest makes the promises of package ecp's interfaces executable:
// whoever implements a Store, a Provisioner or an Adapter runs the suite of
// the same name, and every sentence on the interface is one of its cases.
//
//   - [TestStore], [TestStoreConcurrency] and [TestDurableStore] for a Store.
//   - [TestProvisioner] for a Provisioner.
//   - [TestAdapter] for an Adapter, and all that its brokers can do: it is told
//     by an [AdapterSuite] how to reach a cluster and what is to be found there.
//
// It also has what is needed to crash a program at every line that matters: a
// [Crasher] counts the boundaries that calls through [NewFaultyStore] and
// [NewFaultyProvisioner] cross, and lets the process "die" at any one of them.
//
// The suites take a real implementation and never look behind its interface.
// They start goroutines, but wait for them; they read no clock but to bound
// how long they wait. Only tests import this package.
package ecptest
