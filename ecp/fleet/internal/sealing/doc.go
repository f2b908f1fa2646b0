// Package sealing encrypts the settings of clusters that may be secrets before they are stored.
package sealing
