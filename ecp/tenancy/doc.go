// Package tenancy says who may come in and how much they may have: organisations and
// projects with their quotas, users, API tokens, sessions and logins. [Directory] and
// [Accounts] need a store and a door for changes, and no Manager.
package tenancy
