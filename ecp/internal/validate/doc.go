// Package validate checks what users send, and names each field that is wrong.
package validate
