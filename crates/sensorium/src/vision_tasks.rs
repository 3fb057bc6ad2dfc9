//! The vision crate's pipelines as tasks.

use image::DynamicImage;
use sensorium_vision::{self as vision, ClassifyError, ImageClassifier};

use crate::handle::{Batching, Handle, IntoHandle};
use crate::task::BoxError;
use crate::{BuildRequest, Input, Label, Output, Pipeline, PipelineError, decode_images, run_decoded};

/// Builds the pipeline of `image-classification`.
pub(crate) fn image_classification(request: BuildRequest<'_>) -> Result<Box<dyn Pipeline>, BoxError> {
    let mut builder = ImageClassifier::builder(request.required_model()?);
    builder = builder.device(request.options.device.resolve()?);
    if let Some(dtype) = request.options.dtype {
        builder = builder.kind(dtype.kind());
    }
    let (classifier, top_k) = (builder.build()?, request.options.top_k);
    Ok(Box::new(ImageClassification { classifier, top_k }))
}

struct ImageClassification {
    classifier: ImageClassifier,
    top_k: Option<usize>,
}

impl Pipeline for ImageClassification {
    fn run(&mut self, inputs: &[Input]) -> Vec<Result<Output, PipelineError>> {
        run_decoded(inputs, decode_images, |images| {
            let results = self.classifier.classify(images, self.top_k).into_iter();
            results
                .map(|labels| {
                    Ok(Output::Classification(
                        labels?.into_iter().map(Label::from).collect(),
                    ))
                })
                .collect()
        })
    }
}

impl From<vision::Label> for Label {
    fn from(vision::Label { label, score }: vision::Label) -> Self {
        Self { label, score }
    }
}

/// ```no_run
/// use sensorium::handle::{Batching, IntoHandle};
/// use sensorium::hub::{Hub, HubOptions};
/// use sensorium::vision::ImageClassifier;
///
/// let model = Hub::new(HubOptions::default())?.resolve("mnist-net")?;
/// let digits = ImageClassifier::builder(&model).build()?.into_handle(Batching::default());
/// let image = sensorium::vision::decode::open_image("seven.png".as_ref(), &Default::default())?;
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         let (digits, image) = (digits.clone(), image.clone());
///         scope.spawn(move || println!("{:?}", digits.run(image)));
///     }
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl IntoHandle for ImageClassifier {
    type In = DynamicImage;
    type Out = Result<Vec<vision::Label>, ClassifyError>;

    fn into_handle(self, batching: Batching) -> Handle<Self::In, Self::Out> {
        Handle::spawn(batching, move |images: Vec<DynamicImage>| {
            self.classify(&images, None)
        })
    }
}
