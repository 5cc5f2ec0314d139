"""What a person would like next: learns item-item weights from interactions and content, ranks
by a sparse sum over somebody's recent interactions, and says why."""
