// Package mapstore is a Store in a map for tests within ecp, which need to break it and
// to look at what was written.
package mapstore
