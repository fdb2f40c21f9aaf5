package permissions

import "iter"

// Filter yields the items on which the policy allows an action, in their order: those for
// which [Policy.Allowed] says yes of the target that the function target returns. An item
// whose target is invalid is left out. A nil or zero policy lets nothing through.
//
// It asks while it is ranged over, one question for each item, and [Policy.Observe] sees
// them. To have a database leave out what is denied, see [Policy.SelectCredentials].
func Filter[T any](p *Policy, action Permission, items iter.Seq[T], target func(T) Target) iter.Seq[T] {
	return filter(items, func(item T) bool { return p.Allowed(action, target(item)) })
}

// FilterSlice is [Filter] for a slice. It returns a new slice, which is never nil, and
// leaves items as it is.
func FilterSlice[T any](p *Policy, action Permission, items []T, target func(T) Target) []T {
	return filterSlice(items, func(item T) bool { return p.Allowed(action, target(item)) })
}

// FilterVisible yields the items that a list may show, in their order: those for which
// [Policy.Visible] says yes of the target that the function target returns. An item whose
// target is invalid is left out. A nil or zero policy lets nothing through.
func FilterVisible[T any](p *Policy, items iter.Seq[T], target func(T) Target) iter.Seq[T] {
	return filter(items, func(item T) bool { return p.Visible(target(item)) })
}

// FilterVisibleSlice is [FilterVisible] for a slice. It returns a new slice, which is never
// nil, and leaves items as it is.
func FilterVisibleSlice[T any](p *Policy, items []T, target func(T) Target) []T {
	return filterSlice(items, func(item T) bool { return p.Visible(target(item)) })
}

func filter[T any](items iter.Seq[T], keep func(T) bool) iter.Seq[T] {
	return func(yield func(T) bool) {
		if items == nil {
			return
		}
		for item := range items {
			if keep(item) && !yield(item) {
				return
			}
		}
	}
}

func filterSlice[T any](items []T, keep func(T) bool) []T {
	kept := []T{}
	for _, item := range items {
		if keep(item) {
			kept = append(kept, item)
		}
	}
	return kept
}
