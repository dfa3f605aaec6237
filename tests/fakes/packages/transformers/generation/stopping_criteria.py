class StoppingCriteria:
    def __call__(self, input_ids, scores, **kwargs):
        raise NotImplementedError


class StoppingCriteriaList(list):
    def __call__(self, input_ids, scores, **kwargs):
        return any(criteria(input_ids, scores, **kwargs) for criteria in self)
