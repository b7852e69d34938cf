// Package tofu pins the OpenTofu that the offline proof builds; the tool line of go.mod names it.
package tofu
