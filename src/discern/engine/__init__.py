"""The one front desk: a few verbs over models that are here (local) or elsewhere (remote)."""
