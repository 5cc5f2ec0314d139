"""What every API view shares: problems, parsing, paging, rate limits, the OpenAPI document."""
