// Package limits asks and tells the brokers of adopted clusters their connection limit,
// and stores what came of it. What is to be said is decided in derive.
package limits
