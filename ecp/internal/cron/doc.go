// Package cron reads schedules of five fields, as crontab has them, and says when they
// are due in a time zone.
package cron
